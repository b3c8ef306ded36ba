package main

import "example.com/several/v2/internal/greet"

func main() { greet.Say("several") }
