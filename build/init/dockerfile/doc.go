// Package dockerfile reads Dockerfiles and returns what thimble makes of each: the programs that
// its images ship, their runtime settings, and an outcome for every line.
//
// Read takes the text of one Dockerfile and the files of the repository. It follows every stage
// from which something reaches an image: which path holds a program of the repository, which one
// a file of the repository, and which one something that only a command makes. It runs nothing,
// fetches nothing, and knows base images only by their names.
//
// Find returns the names of the Dockerfiles of a repository.
package dockerfile
