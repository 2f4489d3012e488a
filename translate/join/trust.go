package join

import (
	"fmt"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
	"weft.dev/translate/kube"
)

// lost is why an authority that is named is not trusted: a code of problems, what is said, and where it is named.
type lost struct{ Code, Path, Message string }

// holder is a Secret or a ConfigMap with certificates.
type holder struct {
	Secret model.Certificate
	Bundle kube.Bundle // of a ConfigMap
}

func (h holder) ca() string {
	if h.Bundle == (kube.Bundle{}) {
		return string(h.Secret.CA)
	}
	return h.Bundle.CA.Value()
}

// wireTrust finds what Secrets and ConfigMaps have of certificates.
func (m *Mesh) wireTrust() {
	m.holders = flow.Derive(m.parts, "holders of certificates", func(_ *flow.Ctx, p Part) (all []item[holder]) {
		for _, c := range Of[model.Certificate](p) {
			all = append(all, item[holder]{ID: p.Object.String(), Object: p.Object, Value: holder{Secret: c}})
		}
		for _, b := range Of[kube.Bundle](p) {
			all = append(all, item[holder]{ID: p.Object.String(), Object: p.Object, Value: holder{Bundle: b}})
		}
		return all
	})
	m.secrets = rows(m.holders, "certificates of secrets", func(i item[holder]) []model.Certificate {
		if i.Value.Secret.Name == "" {
			return nil
		}
		return []model.Certificate{i.Value.Secret}
	})
}

// trusted are the certificates of all authorities that an object names, as PEM, and those that are not to be had.
func (m *Mesh) trusted(x *flow.Ctx, by model.Key, all []gateway.Authority) (ca []byte, missing []lost) {
	for _, a := range all {
		text, why := m.authority(x, by, a)
		if why != nil {
			missing = append(missing, *why)
			continue
		}
		if len(ca) > 0 {
			ca = append(ca, '\n') // a PEM text may end without
		}
		ca = append(ca, text...)
	}
	return ca, missing
}

func (m *Mesh) authority(x *flow.Ctx, by model.Key, a gateway.Authority) (ca string, why *lost) {
	refuse := func(code, format string, args ...any) (string, *lost) {
		return "", &lost{code, a.Path, fmt.Sprintf(format, args...)}
	}
	name := a.Namespace + "/" + a.Name
	switch {
	case a.Unread:
		return refuse(model.ProblemNotHonoured, "weft reads whom to trust from ConfigMaps and Secrets only, not from a %s", a.Kind)
	case a.Namespace != by.Namespace && !m.granted(x, by, a.Kind, a.Namespace, a.Name):
		return refuse(model.ProblemNotPermitted, "no ReferenceGrant of the namespace %s lets a %s of %s use the %s %s", a.Namespace, by.Kind, by.Namespace, a.Kind, name)
	}
	found, _ := flow.Get(x, m.holders, model.Key{Kind: a.Kind, Namespace: a.Namespace, Name: a.Name}.String())
	invalid := found.Value.Secret.Invalid + found.Value.Bundle.Invalid
	switch ca = found.Value.ca(); {
	case invalid != "":
		return refuse(model.ProblemMissingSecret, "the %s %s is not usable: %s", a.Kind, name, invalid)
	case ca == "":
		return refuse(model.ProblemMissingSecret, "there is no %s %s with a certificate in ca.crt; create it, or correct the name", a.Kind, name)
	}
	return ca, nil
}
