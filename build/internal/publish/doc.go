// Package publish puts what a run has made where others find it: into the output
// folder (dist/), into a docker archive, and into a container engine. It takes
// finished images, files and documents from its caller and decides nothing about
// their content.
//
// # The output folder
//
// [Open] takes the folder's lock and gives a [Dist]. Copy, Write and Layout stage
// what is to be there, Commit makes it visible, Close without Commit leaves the
// folder as it was. A folder has this shape, of which publish knows only the first
// level and the layouts:
//
//	bin/ oci/ sbom/ archives/ debug/ verify/   exactly what the last run made
//	manifest.json    describes it
//	.gitignore       "*"; marks the folder as one of ours
//	.lock .stage     only while a run changes the folder
//
// Commit works in this order, always by rename: manifest.json goes; blobs come;
// other files come; each layout's index.json comes; what the run did not make goes;
// manifest.json comes. Two promises follow, and hold at every moment, also after
// the process was killed: an index.json names only blobs that are there, and a
// manifest.json describes the folder that it lies in. What a killed run leaves, the
// next one puts right.
//
// A run that changes nothing writes nothing: a file that has the right content stays. Whether
// it has is found by its hash, or by its stat data since it was hashed (package filesum).
// No file of the folder shares its inode with another one, such as the compiler's.
//
// publish never removes a file outside of these folders, and refuses a folder
// that has content and is not marked. It trusts the blob files of a layer (see
// [Dist.Layout]), and the files that it copies, to have been verified by whoever made
// them, unless Sums.Always is set.
package publish
