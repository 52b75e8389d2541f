// Package strftime prints times as C's strftime does in the C locale: the formats that scripts and module parameters hold. It keeps nothing and allocates nothing of its own.
package strftime

import (
	"fmt"
	"time"
)

// Append appends t as format says. What is no conversion stays as it is.
func Append(b, format []byte, t time.Time) []byte {
	layout := func(l string) { b = t.AppendFormat(b, l) }
	num := func(f string, n int) { b = fmt.Appendf(b, f, n) }
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b = append(b, format[i])
			continue
		}
		i++
		switch format[i] {
		case 'a':
			layout("Mon")
		case 'A':
			layout("Monday")
		case 'b', 'h':
			layout("Jan")
		case 'B':
			layout("January")
		case 'c':
			layout("Mon Jan _2 15:04:05 2006")
		case 'C':
			num("%02d", t.Year()/100)
		case 'd':
			layout("02")
		case 'D', 'x':
			layout("01/02/06")
		case 'e':
			layout("_2")
		case 'F':
			layout("2006-01-02")
		case 'G':
			y, _ := t.ISOWeek()
			num("%d", y)
		case 'g':
			y, _ := t.ISOWeek()
			num("%02d", y%100)
		case 'H':
			layout("15")
		case 'I':
			layout("03")
		case 'j':
			num("%03d", t.YearDay())
		case 'k':
			num("%2d", t.Hour())
		case 'l':
			num("%2d", (t.Hour()+11)%12+1)
		case 'm':
			layout("01")
		case 'M':
			layout("04")
		case 'n':
			b = append(b, '\n')
		case 'p':
			layout("PM")
		case 'P':
			layout("pm")
		case 'r':
			layout("03:04:05 PM")
		case 'R':
			layout("15:04")
		case 's':
			b = fmt.Appendf(b, "%d", t.Unix())
		case 'S':
			layout("05")
		case 't':
			b = append(b, '\t')
		case 'T', 'X':
			layout("15:04:05")
		case 'u':
			num("%d", (int(t.Weekday())+6)%7+1)
		case 'U':
			num("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
		case 'V':
			_, w := t.ISOWeek()
			num("%02d", w)
		case 'w':
			num("%d", int(t.Weekday()))
		case 'W':
			num("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
		case 'y':
			layout("06")
		case 'Y':
			layout("2006")
		case 'z':
			layout("-0700")
		case 'Z':
			layout("MST")
		case '%':
			b = append(b, '%')
		default:
			b = append(b, '%', format[i])
		}
	}
	return b
}
