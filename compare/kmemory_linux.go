package compare

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"nsmodel/bench/stage"
)

// kernelBooks is what the kernel holds, in bytes: of each sort of memory that
// namespaces are made of, and of each cache of its slab.
//
// Linux: man 5 proc, /proc/meminfo and /proc/slabinfo.
type kernelBooks struct {
	slab, percpu, vmalloc float64
	free                  float64
	caches                map[string]float64 // nil if slabinfo cannot be read
}

// sum is what is counted as the kernel's. Whole pages that are taken elsewhere
// are not in it.
func (k kernelBooks) sum() float64 { return k.slab + k.percpu + k.vmalloc }

func readKernelBooks() (k kernelBooks, err error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return k, fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	found := 0
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		at := map[string]*float64{"Slab": &k.slab, "Percpu": &k.percpu, "VmallocUsed": &k.vmalloc, "MemFree": &k.free}[name]
		if at == nil {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			return k, fmt.Errorf("/proc/meminfo: %q: %w", line, err)
		}
		*at = kib * 1024
		found++
	}
	if found != 4 {
		return k, fmt.Errorf("%w: /proc/meminfo has %d of Slab, Percpu, VmallocUsed and MemFree", ErrNotHere, found)
	}
	if b, err := os.ReadFile("/proc/slabinfo"); err == nil { // only root may
		k.caches = slabCaches(string(b), os.Getpagesize())
		k.slab = 0
		for _, bytes := range k.caches {
			k.slab += bytes
		}
	}
	return k, nil
}

// othersCache reports whether anybody who reads files or starts processes moves a
// cache. What little of it a namespace takes, an inode for one, is lost with it.
func othersCache(name string) bool {
	files := []string{"btrfs", "ext4", "extent_status", "xfs", "jbd2", "fuse", "ovl", "erofs", "squashfs", "shmem", "dentry", "inode_cache", "proc_inode", "filp", "bfilp",
		"file_l", "lsm_", "names_cache", "seq_file", "buffer_head", "radix_tree_node", "bio", "kmalloc-rcl"}
	processes := []string{"vm_area", "anon_vma", "maple", "mm_struct", "task", "sig", "pid", "cred", "files_cache"}
	begins := func(w string) bool { return strings.HasPrefix(name, w) }
	return slices.ContainsFunc(files, begins) || slices.ContainsFunc(processes, begins)
}

// slabCaches reads the bytes in pages of each cache that namespaces may be told by;
// a line that cannot be read is no cache.
func slabCaches(text string, page int) map[string]float64 {
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		// name active_objs num_objs objsize objperslab pagesperslab : tunables a b c : slabdata active_slabs num_slabs shared
		f := strings.Fields(line)
		if len(f) < 15 {
			continue
		}
		pages, err1 := strconv.Atoi(f[5])
		slabs, err2 := strconv.Atoi(f[14])
		if err1 == nil && err2 == nil && !othersCache(f[0]) {
			all[f[0]] = float64(pages * slabs * page)
		}
	}
	return all
}

// kernelMemoryHere says why the kernel's namespaces cannot be weighed, if so.
func (r *Run) kernelMemoryHere() error {
	if _, err := r.newBox(); err != nil {
		return err
	}
	_, err := readKernelBooks()
	return err
}

// roomy returns those of rising sizes for which there is room, if each thing that
// a size counts takes so many bytes and all sizes are there together. The report
// says of the rest that it is left out.
func (r *Run) roomy(what string, sizes []int, each float64) []int {
	all := 0
	for i, n := range sizes {
		all += n
		if err := roomFor(all, each); err != nil {
			r.note("%s from %d on: %v", what, n, err)
			return sizes[:i]
		}
	}
	return sizes
}

// roomFor says if so many things of so many bytes would take more than a quarter
// of what memory there is.
func roomFor(count int, each float64) error {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil // then nobody knows
	}
	for line := range strings.Lines(string(b)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "MemAvailable: %f kB", &kib); err == nil && float64(count)*each > kib*1024/4 {
			return fmt.Errorf("%w: %d of %.0f kB each want more than a quarter of the %.0f MB that are free", ErrNotHere, count, each/1000, kib/1024)
		}
	}
	return nil
}

// memoryKernel weighs the kernel's namespaces.
func (r *Run) memoryKernel() error {
	sizes := []int{Pick(r, 100, 100, 100), Pick(r, 1000, 1000, 1000)} // Tiny has less
	if r.Scale == Full {
		sizes = append(sizes, 10_000)
	}
	caches := r.seriesOf(memKernel)
	if caches == nil && r.Boxed && r.plan == nil { // see which there are
		var err error
		if caches, err = r.heavyCaches(Pick(r, 200, 200, 200)); err != nil && !errors.Is(err, ErrNotHere) {
			return err
		}
		if caches != nil {
			caches = append(caches, otherCaches, "percpu", "vmalloc")
		}
	}
	for _, n := range sizes {
		s := &shot{take: func() (map[string]float64, error) { return r.weighKernel(n, caches) },
			here: func() error { return errors.Join(r.kernelMemoryHere(), roomFor(n, 400e3)) }}
		var arms []Arm
		add := func(figure, series, name string) {
			arms = append(arms, s.arm(Key{figure, Kernel, series, float64(n)}, name, Pick(r, memRounds, 5, 5)))
		}
		for _, f := range weightFigures(n, 0) {
			add(f, kernelSeries, f)
		}
		if n >= 1000 {
			add(memResident, "the running kernel, by MemFree", "MemFree")
		}
		for _, part := range caches {
			add(memKernel, part, part)
		}
		if err := r.Group(fmt.Sprintf("kernel: memory of %d idle namespaces", n), arms...); err != nil {
			return err
		}
	}
	return nil
}

const otherCaches = "other caches"

// heavyCaches returns the caches in which a namespace takes 2 % or more of what
// it takes altogether, the heaviest first; nil if slabinfo cannot be read.
func (r *Run) heavyCaches(n int) ([]string, error) {
	before, up, err := r.kernelShot(n, func(*kernelBox) error { return nil })
	if err != nil || before.caches == nil {
		return nil, err
	}
	grown := func(name string) float64 { return up.caches[name] - before.caches[name] }
	var some []string
	for name := range maps.Keys(up.caches) {
		if grown(name) >= 0.02*(up.sum()-before.sum()) {
			some = append(some, name)
		}
	}
	slices.SortFunc(some, func(a, b string) int {
		return cmp.Or(cmp.Compare(grown(b), grown(a)), cmp.Compare(a, b))
	})
	return some, nil
}

// weighKernel returns what one of n namespaces takes, under the names of the
// figures and the parts.
func (r *Run) weighKernel(n int, caches []string) (map[string]float64, error) {
	all := map[string]float64{}
	before, up, err := r.kernelShot(n, func(b *kernelBox) error {
		books, err := readKernelBooks()
		all[memCreated] = books.sum() // less what was before, below
		return err
	})
	if err != nil {
		return nil, err
	}
	each := func(v float64) float64 { return v / float64(n) }
	all[memCreated] = each(all[memCreated] - before.sum())
	all[memUp] = each(up.sum() - before.sum())
	all[memResident] = all[memUp]
	all["MemFree"] = each(before.free - up.free)
	all["percpu"], all["vmalloc"] = each(up.percpu-before.percpu), each(up.vmalloc-before.vmalloc)
	rest := up.slab - before.slab
	for _, c := range caches {
		if _, ok := all[c]; ok || c == otherCaches {
			continue
		}
		grown := up.caches[c] - before.caches[c]
		all[c] = each(grown)
		rest -= grown
	}
	all[otherCaches] = each(rest)
	return all, nil
}

// kernelShot makes n namespaces, calls created, brings their loopbacks up, and
// returns the kernel's books from before and from then. It returns when the
// kernel has taken them down again.
func (r *Run) kernelShot(n int, created func(*kernelBox) error) (before, up kernelBooks, err error) {
	b, err := r.newBox()
	if err != nil {
		return before, up, err
	}
	if before, err = readKernelBooks(); err != nil {
		return before, up, err
	}
	err = func() error {
		if err := b.bare(n); err != nil {
			return err
		}
		if err := created(b); err != nil {
			return err
		}
		if err := b.up(); err != nil {
			return err
		}
		up, err = readKernelBooks()
		return err
	}()
	return before, up, errors.Join(err, b.Close(), memoryBack(before, up))
}

// memoryBack waits until the kernel has given back nearly all by which its
// memory grew, or gives back no more.
func memoryBack(before, grown kernelBooks) error {
	const pause, patience, still = 20 * time.Millisecond, 30 * time.Second, time.Second
	least, since := grown.sum(), time.Now()
	for end := time.Now().Add(patience); time.Now().Before(end) && time.Since(since) < still; time.Sleep(pause) {
		now, err := readKernelBooks()
		if err != nil {
			return err
		}
		if now.sum()-before.sum() < 0.03*(grown.sum()-before.sum()) {
			return nil
		}
		if now.sum() < least-0.005*(grown.sum()-before.sum()) {
			least, since = now.sum(), time.Now()
		}
	}
	return nil // caches keep some: the next shot starts from there
}

// weighKernelTable returns what a kernel namespace with its loopback up and a UDP
// socket takes, if it has an own UDP table of so many buckets; 0 is the shared one.
func (r *Run) weighKernelTable(buckets, n int) (each float64, err error) {
	err = withSysctl("net.ipv4.udp_child_hash_entries", strconv.Itoa(buckets), func() error {
		var before, up kernelBooks
		before, up, err = r.kernelShot(n, func(b *kernelBox) error {
			for _, ns := range b.spaces {
				if _, err := b.socket(ns, stage.Port); err != nil {
					return err
				}
			}
			return nil
		})
		each = (up.sum() - before.sum()) / float64(n)
		return err
	})
	return each, err
}
