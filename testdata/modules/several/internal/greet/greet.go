package greet

import "fmt"

func Say(name string) { fmt.Println("hello from", name) }
