package compare

// A curve is one measurement that yields several values at once, as a storm does
// the backlog at several times. Its Arms stand in one Group: whichever comes
// first in a round measures for all.
type curve struct {
	// open sets it up; take returns one value for each Arm, close may be nil.
	open func() (take func() ([]float64, error), close func() error, err error)

	opened bool
	err    error
	take   func() ([]float64, error)
	close  func() error
	rounds [][]float64
}

// arm returns the Arm of the i-th value.
func (c *curve) arm(k Key, i int) Arm {
	return Arm{k, func() (*Stand, error) {
		if !c.opened {
			c.opened = true
			c.take, c.close, c.err = c.open()
		}
		if c.err != nil {
			return nil, c.err
		}
		round := 0
		return &Stand{
			Sample: func() (float64, error) {
				for round >= len(c.rounds) {
					values, err := c.take()
					if err != nil {
						return 0, err
					}
					c.rounds = append(c.rounds, values)
				}
				round++
				return c.rounds[round-1][i], nil
			},
			Close: func() (err error) {
				if c.close != nil {
					err = c.close()
					c.close = nil
				}
				return err
			},
		}, nil
	}}
}
