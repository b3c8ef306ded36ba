//go:build !pure

// Command resolver asks the C library what only it can say: the address of a host, and
// the name of the user.
package main

import (
	"os"

	"example.com/resolver/native"
)

func main() {
	for _, host := range os.Args[1:] {
		address, err := native.Lookup(host)
		if err != nil {
			os.Stderr.WriteString(host + ": " + err.Error() + "\n")
			os.Exit(1)
		}
		os.Stdout.WriteString(host + " " + address + "\n")
	}
	os.Stdout.WriteString("user " + native.User() + "\ncompiled " + native.Compiled() + "\n")
}
