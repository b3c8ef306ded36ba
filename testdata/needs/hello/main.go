// hello needs nothing: not even a file system.
package main

import "fmt"

func main() { fmt.Println("hello") }
