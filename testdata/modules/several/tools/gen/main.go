// Command gen is a main package that is no image: it lies outside cmd/.
package main

func main() {}
