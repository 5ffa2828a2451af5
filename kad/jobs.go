package kad

// jobs are what is given out again by itself: records of others (replication), own records and own provider records.
type jobs struct{}

func (j *jobs) wake() Time { return 0 }

// work does what is due of the jobs.
func (k *Kademlia) work(now Time, out *Output) {}
