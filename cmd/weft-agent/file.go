package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// commandKey is the key of a workload file that is no flag.
const commandKey = "command"

// readFile takes a workload file: YAML whose keys are the flags of run, and the
// command. What the command line says goes before it.
func readFile(f *pflag.FlagSet, path string) (command []string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("workload file: %w", err)
	}
	var values map[string]json.RawMessage
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		return nil, fmt.Errorf("workload file %s: %w", path, err)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if key == commandKey {
			err = json.Unmarshal(values[key], &command)
		} else {
			err = setFlag(f, key, values[key])
		}
		if err != nil {
			return nil, fmt.Errorf("workload file %s: %s: %w", path, key, err)
		}
	}
	return command, nil
}

func setFlag(f *pflag.FlagSet, key string, value json.RawMessage) error {
	flag := f.Lookup(key)
	if flag == nil || key == fileFlag {
		return fmt.Errorf("no such key: the keys are %q and the flags of weft run", commandKey)
	}
	if flag.Changed {
		return nil
	}
	texts, err := textsOf(value)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if err := f.Set(key, text); err != nil {
			return err
		}
	}
	return nil
}

// textsOf are the values of a flag: one, or those of a list or map.
func textsOf(value json.RawMessage) ([]string, error) {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	var pairs map[string]string
	if json.Unmarshal(value, &pairs) == nil {
		texts := []string{}
		for _, key := range slices.Sorted(maps.Keys(pairs)) {
			texts = append(texts, key+"="+pairs[key])
		}
		return texts, nil
	}
	var texts []string
	for _, one := range list {
		var text string
		if err := json.Unmarshal(one, &text); err != nil {
			var scalar any
			if err := json.Unmarshal(one, &scalar); err != nil {
				return nil, err
			}
			switch scalar.(type) {
			case float64, bool:
				text = string(one)
			default:
				return nil, fmt.Errorf("%s: use a text, a number, a list or a map of them", one)
			}
		}
		texts = append(texts, text)
	}
	return texts, nil
}
