package build

// SetRoom sets variables over the environment of clean rooms, as tests that need no
// empty build cache do.
func SetRoom(settings ...string) { roomSettings = settings }
