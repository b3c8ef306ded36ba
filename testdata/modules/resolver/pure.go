//go:build pure

package main

func main() { println("hello") }
