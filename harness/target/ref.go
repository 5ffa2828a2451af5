package target

import "errors"

func (f *factory) ref(rest string) error {
	if rest != "" {
		return errors.New("ref: expected nothing after it")
	}
	return errors.New("ref: is not linked yet")
}
