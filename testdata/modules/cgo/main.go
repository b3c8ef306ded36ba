package main

import (
	"fmt"

	"example.com/cgo/native"
)

func main() { fmt.Println(native.Answer()) }
