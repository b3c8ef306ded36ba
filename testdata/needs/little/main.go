// Little imports packages that need nothing of a system.
package main

import (
	"errors"
	"strings"
	"sync"
)

var mu sync.Mutex

func main() {
	mu.Lock()
	defer mu.Unlock()
	println(strings.ToUpper("hello"), errors.New("x").Error())
}
