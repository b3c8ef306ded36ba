module example.com/several/v2

go 1.26
