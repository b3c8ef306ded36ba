package greet

func Name() string { return "a replacement" }
