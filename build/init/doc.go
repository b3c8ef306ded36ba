// Init sets up a repository for thimble. In the folder of a service's module, or in that of a
// repository that contains one,
//
//	go run github.com/thimble-build/thimble/build/init@latest
//
// writes magefiles/, a separate module with the targets and their launcher, and adds dist/ to
// .gitignore. On request it writes a workflow for a CI system (-ci) and a Taskfile (-task). It
// shows what it will write (-n stops there). It overwrites no existing file, does not change
// the service's go.mod and go.sum, and may be run again at any time.
package main
