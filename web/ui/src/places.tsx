import type { ReactNode } from "react";
import { Problems } from "./problems/problems";
import { Service } from "./service/service";
import { Services } from "./services/services";

export interface Page {
  name: string; // in the URL
  title: string;
  icon: ReactNode;
  list: () => ReactNode; // the page itself
  one?: (namespace: string, name: string) => ReactNode; // the page of one thing on it
}

// The places, in the order of the rail. The first is where people begin.
export const places: Page[] = [
  {
    name: "services",
    title: "Services",
    icon: <path d="M8 1.5 14 5v6l-6 3.5L2 11V5zM2 5l6 3.5L14 5M8 8.5v6" />,
    list: () => <Services />,
    one: (namespace, name) => <Service namespace={namespace} name={name} />,
  },
  {
    name: "problems",
    title: "Problems",
    icon: <path d="M8 2 14.5 13.5h-13zM8 6.5v3.5M8 11.7v.1" />,
    list: () => <Problems />,
  },
];
