package trigger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/secret"
)

const (
	// maxMatch is how many tags or branches a trigger may be for.
	maxMatch = 1000
	// maxBurst is how many runs one look starts.
	maxBurst = 10
)

// tags finds those that a registry did not have before.
func (w *watcher) tags(ctx context.Context, namespace string, t *v1alpha1.ImageTrigger, l *look) error {
	match, err := artifact.NewMatch(t.Tag, t.Version)
	if err != nil {
		return err
	}
	repository, err := artifact.ParseRepository(t.Repository)
	if err != nil {
		return err
	}
	repository.Insecure = t.Insecure
	if repository.Login, err = w.login(ctx, namespace, t.Secret); err != nil {
		return err
	}
	all, err := w.Outside.Tags(ctx, repository)
	if err != nil {
		return err
	}
	return l.news(t.Repository, match.Of(all), func(tag string) (happening, error) {
		digest, err := w.Outside.Digest(ctx, repository, tag)
		value := func(s string) v1alpha1.Value { return v1alpha1.Value(s) }
		return happening{id: tag + "@" + digest, facts: map[string]v1alpha1.Value{
			"image": value(t.Repository + ":" + tag), "repository": value(t.Repository), "tag": value(tag), "digest": value(digest),
		}}, err
	})
}

// branches finds those that came to another commit.
func (w *watcher) branches(ctx context.Context, namespace string, t *v1alpha1.GitTrigger, l *look) error {
	match, err := artifact.Whole(orMain(t.Branch))
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	login, err := w.login(ctx, namespace, t.Secret)
	if err != nil {
		return err
	}
	heads, err := w.Outside.Branches(ctx, t.URL, login)
	if err != nil {
		return err
	}
	var all []string
	for _, branch := range slices.Sorted(maps.Keys(heads)) {
		if match.MatchString(branch) {
			all = append(all, branch+" "+heads[branch])
		}
	}
	return l.news(t.URL, all, func(entry string) (happening, error) {
		branch, commit, _ := strings.Cut(entry, " ")
		return pushed(branch, commit), nil
	})
}

// pushed is that a branch came to a commit: one thing, whether polling or a delivery sees it.
func pushed(branch, commit string) happening {
	return happening{id: branch + "@" + commit, facts: map[string]v1alpha1.Value{
		"branch": v1alpha1.Value(branch), "commit": v1alpha1.Value(commit),
	}}
}

// news compares what there is with what was seen. The first sight starts nothing; of many
// new ones the last start runs. What is wrong with one makes it be seen the next time.
func (l *look) news(where string, all []string, what func(string) (happening, error)) error {
	if len(all) > maxMatch {
		return fmt.Errorf("%s: %d match, and a trigger is for at most %d: narrow what it is for", where, len(all), maxMatch)
	}
	before := l.Seen
	l.Seen = all
	if strings.HasPrefix(l.Why, blind) {
		l.Why = ""
	}
	if l.fresh {
		l.Why = fmt.Sprintf("%d were there at first sight: they start nothing", len(all))
		return nil
	}
	fresh := slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(before, one) })
	if beyond := len(fresh) - maxBurst; beyond > 0 {
		l.Why = short(fmt.Sprintf("%d came at once: the last %d start a run, and these do not: %s", len(fresh), maxBurst, strings.Join(fresh[:beyond], ", ")))
		fresh = fresh[beyond:]
	}
	for _, one := range fresh {
		h, err := what(one)
		if err != nil {
			l.Why = short(blind + err.Error())
			l.Seen = slices.DeleteFunc(slices.Clone(l.Seen), func(seen string) bool { return seen == one })
			continue
		}
		l.found = append(l.found, h)
	}
	return nil
}

// deliverable says whether deliveries can be taken.
func (w *watcher) deliverable(ctx context.Context, namespace string, t *v1alpha1.Trigger, l *look) error {
	_, key := delivers(t)
	value, err := secretOf(ctx, w.Secrets, namespace, key)
	if err == nil && len(value) == 0 {
		err = fmt.Errorf("secret %s/%s is not there, or empty: nothing can be delivered", namespace, key)
	}
	if err == nil {
		l.Why = ""
	}
	return err
}

// login is what a Secret holds; none where no Secret is named.
func (w *watcher) login(ctx context.Context, namespace, name string) (artifact.Login, error) {
	username, password, err := secret.Login(ctx, w.Secrets, namespace, name)
	return artifact.Login{Username: username, Password: password}, err
}

func orMain(branch string) string {
	if branch == "" {
		return "main"
	}
	return branch
}
