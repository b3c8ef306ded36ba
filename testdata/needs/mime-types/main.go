// mime-types names the type of an extension that Go itself does not know, and
// an extension of a type.
package main

import (
	"fmt"
	"mime"
)

func main() {
	fmt.Println(mime.TypeByExtension(".epub"))
	extensions, err := mime.ExtensionsByType("application/epub+zip")
	fmt.Println(extensions, err, mime.AddExtensionType(".thimble", "application/x-thimble"))
}
