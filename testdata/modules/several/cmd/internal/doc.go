// Package internal is no main package.
package internal
