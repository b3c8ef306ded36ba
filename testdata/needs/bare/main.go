// bare imports nothing, so that its binary holds little but the runtime.
package main

func main() { println("hello") }
