// Package release releases images: it pushes them by digest, signs them and the statements
// about them, reads everything back and verifies it, and only then moves the tags. Package
// build calls its stages in this order:
//
//	Preflight ─▶ Uploads ─▶ Statements ─▶ Archives ─▶ Push ─▶ Sign ─▶ Verify ─▶ Tag
//
// Each takes the session, the plan and the results of the stages before it, and returns a
// value. Without a repository, SignLayouts and VerifyLayouts do the same for the layouts in the
// output folder. The package compiles nothing and does not use the build process: everything
// that it says about an image comes from artifact.Described.
package release
