package main

import (
	"fmt"

	"example.com/workspace/lib"
)

func main() { fmt.Println("hello from", lib.Name()) }
