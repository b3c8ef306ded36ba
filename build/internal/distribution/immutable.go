package distribution

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// immutableWords are words in the answers of registries that do not allow moving a tag. The
// specification has no code for that.
var immutableWords = []string{
	"immutab",               // Amazon ECR, Harbor, Artifact Registry, Quay, Docker Hub, GitLab
	"cannot be overwritten", // ECR
	"can't be overwritten",
	"overwrite",               // Artifactory
	"already exist",           // GitHub, Forgejo
	"not allow updating",      // Nexus
	"operation is disallowed", // Azure: a tag, or its repository, is locked
	"write-locked", "is locked", "protected tag", "tag is protected",
}

// isImmutable reports whether a registry refuses to move a tag because its tags are immutable.
func isImmutable(answer *transport.Error) bool {
	if tagOf(answer.Request) == "" || answer.StatusCode < 400 || answer.StatusCode >= 500 ||
		answer.StatusCode == http.StatusUnauthorized || slices.Contains(outages, answer.StatusCode) {
		return false
	}
	switch answer.StatusCode {
	case http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	if slices.ContainsFunc(answer.Errors, func(
		d transport.Diagnostic) bool {
		return d.Code == transport.TagInvalidErrorCode
	}) {
		return true // the tag's name is valid: a client checks names first
	}
	// The error begins with the request's URL, which is not text of the registry.
	text := strings.ReplaceAll(answer.Error(), answer.Request.URL.String(), "")
	for _, d := range answer.Errors {
		text += fmt.Sprint(" ", d.Message, " ", d.Detail)
	}
	text = strings.ToLower(text)
	return slices.ContainsFunc(immutableWords, func(w string) bool { return strings.Contains(text, w) })
}

// tagOf returns the tag that a request writes; "" for another request.
func tagOf(req *http.Request) string {
	if req == nil || req.Method != http.MethodPut {
		return ""
	}
	_, ref, ok := strings.Cut(req.URL.Path, "/manifests/")
	if !ok || strings.Contains(ref, ":") {
		return ""
	}
	return ref
}

// artifactTag is compiled on first use, which takes a millisecond.
var artifactTag = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^sha256-[0-9a-f]{64}\.[a-z0-9]+$`)
})

// IsArtifactTag reports whether a tag, such as sha256-<hex>.sig, names something that describes
// an image. Nobody deploys by such a tag.
func IsArtifactTag(tag string) bool { return artifactTag().MatchString(tag) }

// immutableHint returns how to fix it for a tag.
func immutableHint(tag string) string {
	const why = "the registry does not move this tag: its tags are immutable; "
	switch {
	case IsArtifactTag(tag):
		return why + `leave tags that begin with "sha256-" out of the registry's rule, or set ` +
			`Config.Release.Forms to ["bundle"]`
	case strings.HasPrefix(tag, "sha256-"):
		return why + `it lists the referrers: leave tags that begin with "sha256-" out of the registry's ` +
			`rule, or set Config.Release.Forms to ["tag"]`
	}
	return why + "release another version, or remove a moving tag from the registry's rule or from " +
		"Config.Release.MovingTags"
}
