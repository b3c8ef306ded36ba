package lib

func Name() string { return "the workspace" }
