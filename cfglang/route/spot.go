package route

// Spot is where a statement of the script stands, for the log; it belongs to the program.
type Spot struct {
	Name string // of the function, or the kind of statement
	File string
	Line int
}
