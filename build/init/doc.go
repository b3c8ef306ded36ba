// Init sets a repository up for thimble. In the folder of a service's module, or in
// that of a repository which holds one,
//
//	go run github.com/thimble-build/thimble/build/init@latest
//
// writes magefiles/, a module of its own with the targets and their launcher, and puts
// dist/ into .gitignore. On request it writes a workflow for a CI system (-ci) and a
// Taskfile (-task). It says what it will write (-n stops there), overwrites nothing
// that is there, touches neither the service's go.mod nor its go.sum, and may be run
// again at any time.
package main
