module example.com/vendored

go 1.26

require example.com/greet v1.2.3

replace example.com/greet v1.2.3 => ./greet
