package main

import (
	"fmt"

	"example.com/greet"
)

func main() { fmt.Println("hello from", greet.Name()) }
