// Package ambient looks outside.
package ambient

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"hash/maphash"
	"math/rand"
	rand2 "math/rand/v2"
	"os"
	"runtime"
	"sync"
	"syscall"
	clock "time"
	"unsafe"

	"nsmodel/netns"
)

type hashed struct {
	h maphash.Hash // want `maphash.Hash draws a seed`
}

func times(ctx context.Context) {
	_ = clock.Now()                        // want `time.Now`
	f := clock.Now                         // want `time.Now`
	_ = clock.Since(f())                   // want `time.Since`
	clock.Sleep(1)                         // want `time.Sleep`
	<-clock.After(1)                       // want `time.After`
	_ = clock.NewTimer(1)                  // want `time.NewTimer`
	_, stop := context.WithTimeout(ctx, 1) // want `context.WithTimeout`
	stop()

	_ = clock.Unix(0, 0)
	_ = 3 * clock.Second
	_, stop = context.WithCancel(ctx)
	stop()
}

func chance(n *netns.Net, seed uint64) {
	_ = rand.Intn(5)                    // want `math/rand.Intn`
	_ = rand2.Uint64()                  // want `math/rand/v2.Uint64`
	rand2.Shuffle(2, func(i, j int) {}) // want `math/rand/v2.Shuffle`
	crand.Read(nil)                     // want `crypto/rand.Read`
	_ = crand.Reader                    // want `crypto/rand.Reader`
	_ = maphash.MakeSeed()              // want `hash/maphash.MakeSeed`
	var h maphash.Hash                  // want `maphash.Hash draws a seed`
	h.WriteByte(1)

	_ = n.Uint64()
	r := rand2.New(rand2.NewPCG(seed, 0))
	_ = r.Uint64()
}

func surroundings() {
	_ = os.Getpid()              // want `os.Getpid`
	_ = os.Getenv("HOME")        // want `os.Getenv`
	_ = os.Args                  // want `os.Args`
	_ = runtime.NumCPU()         // want `runtime.NumCPU`
	_ = syscall.Getpid()         // want `syscall.Getpid`
	runtime.SetFinalizer(nil, 1) // want `runtime.SetFinalizer`

	runtime.Gosched()
	_ = os.ErrDeadlineExceeded
	_ = syscall.EINVAL
}

func goroutines(a, b chan int, wg *sync.WaitGroup) {
	go surroundings()   // want `go statement`
	wg.Go(surroundings) // want `sync.WaitGroup.Go`
	select {            // want `select among 2 channels`
	case <-a:
	case <-b:
	}

	select {
	case <-a:
	default:
	}
}

func addresses(p *int) (uintptr, string) {
	_ = fmt.Errorf("at %p", p) // want `%p shows`
	_ = fmt.Sprintf("%%p %d", *p)
	s := fmt.Sprintf("%v", *p)
	return uintptr(unsafe.Pointer(p)), s // want `address of memory`
}

// A package of the user's own may have these names.
type timer struct{}

func (timer) Now() int { return 0 }

func innocent(time timer) int { return time.Now() }
