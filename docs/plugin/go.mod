module example.com/hello

go 1.26.0

require kahea v0.0.0

replace kahea => ../..
