package series

// Room is what a store holds, and the most that it may.
type Room struct {
	Series, MaxSeries int   // in memory
	Bytes, MaxBytes   int64 // of the folder
}

// Room of the store; while it is not open it holds nothing.
func (s *Store) Room() Room {
	room := Room{MaxSeries: s.options.Series, MaxBytes: s.options.Size}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return room
	}
	room.Series, room.Bytes = int(s.db.Head().NumSeries()), s.db.Head().Size()
	for _, block := range s.db.Blocks() {
		room.Bytes += block.Size()
	}
	return room
}
