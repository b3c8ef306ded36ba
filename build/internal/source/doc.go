// Package source compares files with what a git commit holds.
//
// It takes a repository, a commit and a list of files: whatever is compiled, embedded or
// copied. It gives the files that differ from the commit, or that no commit of the
// repository has, each with the reason. Read reads the commit's tree, Compare compares.
//
// A file is hashed as it lies on the disk, as git hashes a blob, and the hash is compared
// with the object id in the commit's tree. Git's index, its flags, its stat data and its
// filters decide nothing: what they hide is found. Blobs are never read, so a partial clone
// stays offline. A path may lead through symlinks: each must be in the commit with the same
// text, and so must what it leads to. Files of a submodule are compared with the revision
// that the commit names for the submodule.
//
// Many or large assets, which are only copied, may be remembered by their stat data, in a
// store of the caller.
//
// A Snapshot is the stat data of the files. Where two of them agree, nothing changed in
// between.
//
// The package starts git, and no other program. It writes nothing
// but to that store.
package source
