package compare

import "errors"

// A curve is one measurement that yields several values at once, as a storm does
// the backlog at several times. Its Arms stand in one Group: whichever comes
// first in a round measures for all.
type curve struct {
	// open sets it up; take returns one value for each Arm, close may be nil.
	open func() (take func() ([]float64, error), close func() error, err error)

	times int  // how many rounds; 0: as many as the Run takes
	cold  bool // the first sample counts

	opened bool
	err    error
	take   func() ([]float64, error)
	close  func() error
	taken  [][]float64
}

// between returns the Arm of what the i-th values of c and of another curve come
// to in the same round. The other's Arms stand in the same Group.
func (c *curve) between(k Key, i int, other *curve, what func(a, b float64) float64) Arm {
	return Arm{k, func() (*Stand, error) {
		a, err := c.arm(k, i).Open()
		if err != nil {
			return nil, err
		}
		b, err := other.arm(k, i).Open()
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		one := a.Sample
		a.Sample = func() (float64, error) {
			v, err := one()
			if err != nil {
				return 0, err
			}
			w, err := b.Sample()
			return what(v, w), err
		}
		return a, nil
	}}
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
			Rounds: c.times, Cold: c.cold,
			Sample: func() (float64, error) {
				for round >= len(c.taken) {
					values, err := c.take()
					if err != nil {
						return 0, err
					}
					c.taken = append(c.taken, values)
				}
				round++
				return c.taken[round-1][i], nil
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
