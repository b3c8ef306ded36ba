package main

const generated = "hello from a generated file"
