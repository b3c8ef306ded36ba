// Program ticker counts until it is stopped.
package main

import (
	"fmt"
	"time"
)

var answer = 42

func main() {
	for n := 1000; ; n++ {
		tick(n)
		time.Sleep(50 * time.Millisecond)
	}
}

//go:noinline
func tick(n int) { fmt.Println("tick", n, answer) }
