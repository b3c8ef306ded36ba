module example.com/tzdata

go 1.26
