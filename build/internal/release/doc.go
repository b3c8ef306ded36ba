// Package release releases images that are made: it pushes them by digest, signs them and what is
// said of them, reads everything back and verifies it, and only then moves the tags. Package build
// calls its stages in order:
//
//	Preflight ─▶ Uploads ─▶ Statements ─▶ Archives ─▶ Push ─▶ Sign ─▶ Verify ─▶ Tag
//
// Each takes the session, the plan and what the stages before it gave, and returns a value.
// Without a repository, SignLayouts and VerifyLayouts do the same for the layouts of the output
// folder. The package compiles nothing, and sees nothing of the process that did: what it says of
// an image is in artifact.Described.
package release
