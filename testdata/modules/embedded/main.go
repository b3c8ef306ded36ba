package main

import (
	"embed"
	"fmt"
)

//go:embed static
var static embed.FS

func main() {
	b, err := static.ReadFile("static/greeting.txt")
	if err != nil {
		panic(err)
	}
	fmt.Print(string(b))
}
