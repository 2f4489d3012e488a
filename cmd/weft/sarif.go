package main

import "weft.dev/web"

// SARIF 2.1.0, as far as readers of it need it.
type (
	sarif struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Name  string    `json:"name"`
		Short sarifText `json:"shortDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifSuppression struct {
		Kind string `json:"kind"`
	}
)

func sarifOf(findings []finding) sarif {
	driver, index := sarifDriver{Name: "weft", Version: version()}, map[string]int{}
	for i, k := range web.ProblemKinds {
		index[k.ID] = i
		driver.Rules = append(driver.Rules, sarifRule{k.ID, k.Code, sarifText{k.Meaning}, sarifText{k.Remedy}})
	}
	results := []sarifResult{}
	for _, f := range findings {
		results = append(results, sarifResultOf(f, index[f.ID]))
	}
	return sarif{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{{sarifTool{driver}, results}}}
}

func sarifResultOf(f finding, rule int) sarifResult {
	at := sarifLocation{Logical: []sarifLogical{{objectName(f.Problem)}}}
	if f.File != "" {
		at.Physical = &sarifPhysical{Artifact: sarifArtifact{f.File}}
		if f.Line > 0 {
			at.Physical.Region = &sarifRegion{f.Line}
		}
	}
	r := sarifResult{RuleID: f.ID, RuleIndex: rule, Level: "warning", Message: sarifText{f.about() + ": " + f.Message}, Locations: []sarifLocation{at}}
	if f.Severe {
		r.Level = "error"
	}
	if f.Suppressed {
		r.Suppressions = []sarifSuppression{{"inSource"}}
	}
	return r
}
