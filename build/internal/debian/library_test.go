package debian

import "testing"

func TestLibraryPackage(t *testing.T) {
	for library, want := range map[string]string{
		"libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1", "libsqlite3.so.0": "libsqlite3-0",
		"libssl.so.3": "libssl3", "libdb-5.3.so": "libdb-5.3", "libX11.so.6": "libx11-6", "libGLU.so.1": "libglu1", "libz.so.1": "zlib1g",
		"libcrypto.so.3": "libssl3", "libxml2.so.2": "libxml2", "libjpeg.so.62": "libjpeg62-turbo",
		"libglib-2.0.so.0": "libglib2.0-0", "libgio-2.0.so.0": "libglib2.0-0",
		"libc.so.6": "libc6", "libpthread.so.0": "libc6", "/lib64/ld-linux-x86-64.so.2": "libc6", "/lib/ld64.so.1": "libc6",
		"/lib/ld-musl-x86_64.so.1": "", "libfoo": "", "foo.so.1": "", "lib foo.so.1": "", "": "",
	} {
		if got := LibraryPackage(library); got != want {
			t.Errorf("%s is in %q, want %q", library, got, want)
		}
	}
}
