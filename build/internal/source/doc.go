// Package source compares files with a git commit.
//
// Its input is a repository, a commit and a list of files: everything that is compiled,
// embedded or copied. It returns the files that differ from the commit or are in no commit of
// the repository, each with the reason. Read reads the commit's tree, Compare compares.
//
// A file on disk is hashed as git hashes a blob, and the hash is compared with the object id in
// the commit's tree. Git's index, its flags, its stat data and its filters are not used, so
// they cannot hide a difference. Blobs are never read, so a partial clone downloads nothing. A
// path may lead through symlinks: each must be in the commit with the same text, and its target
// must be as committed too. Files of a submodule are compared with the revision that the commit
// names for the submodule.
//
// Many or large assets, which are only copied, can be remembered by their stat data, in a store
// of the caller.
//
// A Snapshot is the stat data of files. If two snapshots are equal, nothing changed in between.
//
// The package starts no program except git, and writes only to that store.
package source
