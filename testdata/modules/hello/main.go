// Command hello needs nothing of an operating system.
package main

import "fmt"

func main() { fmt.Println("hello") }
