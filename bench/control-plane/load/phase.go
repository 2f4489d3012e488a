package load

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"
)

// measure runs all phases; with an error the report has those that came before it.
func measure(ctx context.Context, o *options) (*Report, error) {
	f, err := newFleet(ctx, o)
	if err != nil {
		return nil, err
	}
	defer f.fail(nil)
	mode := "delta"
	if o.sotw {
		mode = "sotw"
	}
	rep := &Report{Label: o.label, Server: o.server, N: o.n, Mode: mode, Order: o.order, LoadBefore: Loadavg(), Before: ProcStat(o.pid)}
	defer func() {
		rep.Errors, rep.ClientCPU = f.errors.Load(), selfCPU()
		rep.ClientHWM, rep.After = ProcStat(os.Getpid()).HWMMiB, ProcStat(o.pid)
	}()
	if rep.Initial, err = f.initial(o); err != nil {
		return rep, err
	}
	before := ProcStat(o.pid)
	if err := f.pause(3 * time.Second); err != nil {
		return rep, err
	}
	rep.IdleCPU = (ProcStat(o.pid).CPU - before.CPU) / 3
	if o.initialVersions {
		if rep.Reconnect, err = f.reconnect(o); err != nil {
			return rep, err
		}
	}
	index := o.firstIndex
	for _, c := range o.changes {
		r, err := f.change(o, &c, index)
		if err != nil {
			return rep, err
		}
		rep.Changes = append(rep.Changes, r)
		index += c.count
	}
	return rep, nil
}

// initial connects everybody and waits until all have what an Envoy needs to serve.
func (f *fleet) initial(o *options) (*InitialSync, error) {
	a := f.mark(o.pid)
	f.connect(o.rate)
	ok, err := f.wait(o.syncTimeout, func() bool { return f.unsynced.Load() == 0 })
	took := time.Since(f.start)
	b := f.mark(o.pid)
	at := f.syncTimes()
	r := &InitialSync{AllSynced: took.Seconds(), Unsynced: f.unsynced.Load(), P50: quant(at, .5), P99: quant(at, .99), Max: quant(at, 1),
		Traffic: f.since(a, b), Errors: f.errors.Load()}
	r.LastError, _ = f.lastErr.Load().(string)
	if err != nil {
		return r, err
	}
	if !ok {
		return r, f.stuck(o.syncTimeout)
	}
	if o.verbose {
		log.Printf("synced in %v", took)
	}
	if err := f.pause(o.settle); err != nil {
		return r, err
	}
	c := f.mark(o.pid)
	s := f.since(a, c)
	r.SettledCPU, r.SettledRSS, r.SettledRes, r.SettledWireDown = s.CPU, s.RSS, s.Resources, s.WireDown
	if f.dump != nil {
		return r, f.dump.write(o.dump)
	}
	return r, nil
}

// pause lets time pass unless the measurement fails.
func (f *fleet) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

// reconnect drops all streams at once; everybody comes back with what it holds.
func (f *fleet) reconnect(o *options) (*Reconnect, error) {
	a := f.mark(o.pid)
	start := time.Now()
	f.next().cut()
	g := f.current()
	ok, err := f.wait(o.syncTimeout, func() bool { return g.count.Load() == int64(len(f.proxies)) })
	r := &Reconnect{AllConnected: time.Since(start).Seconds(), Connected: g.count.Load()}
	if err == nil && !ok {
		err = fmt.Errorf("reconnect: %d of %d streams open after %v; last stream error: %v", r.Connected, len(f.proxies), o.syncTimeout, f.lastErr.Load())
	}
	if err == nil {
		err = f.quiet(max(o.settle, o.gap))
	}
	if lm := time.Unix(0, f.lastMsg.Load()); lm.After(start) {
		r.Last = ms(lm.Sub(start))
	}
	r.Traffic = f.since(a, f.mark(o.pid))
	if o.verbose && err == nil {
		log.Printf("reconnected in %.1f s", r.AllConnected)
	}
	return r, err
}

// change makes all changes of one flag, one after another.
func (f *fleet) change(o *options, c *change, index int) (ChangeSeries, error) {
	r := ChangeSeries{Label: c.label, Changes: c.count}
	var lasts, all []time.Duration
	a := f.mark(o.pid)
	for i := index; i < index+c.count; i++ {
		one, lat, err := f.once(o, c, i)
		if err != nil {
			return r, fmt.Errorf("change %s %d: %w", c.label, i, err)
		}
		if one.OK {
			lasts = append(lasts, slices.Max(lat))
			all = append(all, lat...)
		} else {
			r.Failed++
		}
		r.Each = append(r.Each, one)
		r.CPU += one.CPU / float64(c.count)
		if o.verbose {
			log.Printf("%s %d: %+v", c.label, i, one)
		}
	}
	b := f.mark(o.pid)
	t := f.since(a, b)
	n := float64(c.count)
	r.LastP50, r.LastMax, r.P50, r.P99 = quant(lasts, .5), quant(lasts, 1), quant(all, .5), quant(all, .99)
	r.Seconds, r.CPUTotal, r.ClientCPU, r.RSS, r.HWM = t.Seconds, t.CPU, t.ClientCPU/n, t.RSS, t.HWM
	r.Resources = over(t.Resources, n*float64(len(f.proxies)))
	r.Bytes = over(t.Bytes, n*float64(len(f.proxies)))
	r.WireDown, r.WireUp, r.Held = t.WireDown/n, t.WireUp/n, t.Held
	return r, nil
}

// once makes one change, waits until every proxy has it, and then for quiet.
func (f *fleet) once(o *options, c *change, i int) (one OneChange, lat []time.Duration, err error) {
	e, err := c.expect(i, len(f.proxies))
	if err != nil {
		return one, nil, err
	}
	a := f.mark(o.pid)
	f.expected.Store(e)
	t0, err := c.do(i)
	if err != nil {
		return one, nil, err
	}
	select {
	case <-e.done:
		one.OK = true
	case <-time.After(o.changeTimeout):
	case <-f.ctx.Done():
		return one, nil, context.Cause(f.ctx)
	}
	if err := f.quiet(o.gap); err != nil {
		return one, nil, err
	}
	t := f.since(a, f.mark(o.pid))
	one.CPU, one.Resources, one.Bytes, one.Load = t.CPU, t.Resources, t.Bytes, t.Load
	one.Tail = ms(time.Unix(0, f.lastMsg.Load()).Sub(t0))
	if one.OK {
		for _, l := range e.lat {
			lat = append(lat, l-t0.Sub(e.t0))
		}
		one.First, one.P50, one.Last = quant(lat, 0), quant(lat, .5), quant(lat, 1)
	}
	return one, lat, nil
}
