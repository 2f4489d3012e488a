// Alert is what the server refused, and why.
export function Alert({ text }: { text: string }) {
  return (
    <p role="alert" className="bad">
      {text}
    </p>
  );
}
