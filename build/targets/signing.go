//go:build thimble_sign

package targets

import _ "github.com/thimble-build/thimble/build/signing"
