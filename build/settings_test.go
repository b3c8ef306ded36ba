package build_test

import "github.com/thimble-build/thimble/build"

// settings are the options of all verbs, so that a test can change them for any verb.
type settings struct {
	build.Options
	SkipTests, Load                              bool
	AllowDirty, AllowUntagged, AllowFailingTests bool
	Archive                                      string
	Summary                                      func(*build.Result) ([]byte, error)
}

func (s settings) image() build.ImageOptions {
	return build.ImageOptions{Options: s.Options, SkipTests: s.SkipTests, Load: s.Load, Archive: s.Archive, Summary: s.Summary}
}

func (s settings) debug(toolbox bool) build.DebugOptions {
	return build.DebugOptions{Options: s.Options, Toolbox: toolbox, Load: s.Load, Archive: s.Archive, Summary: s.Summary}
}

func (s settings) push() build.PushOptions {
	return build.PushOptions{Options: s.Options, SkipTests: s.SkipTests, Summary: s.Summary}
}

func (s settings) release() build.ReleaseOptions {
	return build.ReleaseOptions{
		Options: s.Options, SkipTests: s.SkipTests, Summary: s.Summary,
		AllowDirty: s.AllowDirty, AllowUntagged: s.AllowUntagged, AllowFailingTests: s.AllowFailingTests,
	}
}

// verifying returns what is expected with the options of a run.
func verifying(o build.Options, want build.VerifyOptions) build.VerifyOptions {
	want.Options = o
	return want
}

// rebuilding is verifying for a rebuild.
func rebuilding(o build.Options, want build.RebuildOptions) build.RebuildOptions {
	want.Options = o
	return want
}
