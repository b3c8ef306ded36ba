// Package distribution speaks HTTP with one repository of a container registry, according to
// the OCI distribution-spec: how a request is sent, answered, repeated in an outage, and how
// its failure is explained. It knows manifests and blobs, but not their purpose.
//
// [Open] logs in once and returns a [Client]. Requests of [Client.Ask] and those that
// go-containerregistry makes with [Client.RemoteOptions] pass through the same layers:
//
//	patient   repeats it in an outage, unless the step is optional
//	heads     uses GET if the registry does not answer HEAD
//	tokens    asks for a token for only this repository if one for several is refused
//	wire      allows plain HTTP only where permitted, waits when asked to, ends what is too slow
//
// Errors never contain text from a registry, a token service or a credential helper: only the
// status, the codes of the specification, and text of thimble. Nothing is read from the
// environment; the caller passes a keychain and a proxy.
package distribution
