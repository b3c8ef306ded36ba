// Package publish puts the results of a run into the output folder (dist/), into a docker
// archive, and into a container engine. It takes finished images, files and documents from its
// caller and makes no decisions about their content.
//
// # The output folder
//
// [Open] takes the folder's lock and returns a [Dist]. Copy, Write and Layout stage files,
// Commit makes them visible, Close without Commit leaves the folder as it was. A folder has
// this structure, of which publish knows only the first level and the layouts:
//
//	bin/ oci/ sbom/ archives/ debug/ verify/   exactly what the last run made
//	manifest.json    describes it
//	.gitignore       "*"; marks a folder of thimble
//	.lock .stage     only while a run changes the folder
//
// Commit works in this order, always by rename: remove manifest.json; add blobs; add other
// files; add each layout's index.json; remove what the run did not make; add manifest.json. So
// two promises are true at every moment, even after the process was killed: an index.json names
// only blobs that exist, and a manifest.json describes its folder. The next run repairs what a
// killed run left.
//
// A run that changes nothing writes nothing: a file with the right content is kept. The content
// is checked by hash, or by the stat data since it was hashed (package filesum). No file of the
// folder shares its inode with another file, such as the compiler's.
//
// publish never removes a file outside of these folders, and refuses a folder that has content
// and is not marked. It assumes that the blob files of a layer (see [Dist.Layout]), and the
// files that it copies, were verified by their maker, unless Sums.Always is set.
package publish
